"""The provisioning role: internal HTTP and jobs that register hardware at vendors."""

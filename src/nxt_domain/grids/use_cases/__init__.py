"""What is done with grids, gateways, customers and connections: one verb each."""

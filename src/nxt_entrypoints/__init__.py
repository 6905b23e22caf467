"""Ways in: settings, the container, the four roles, the command line, the simulators and the demo."""

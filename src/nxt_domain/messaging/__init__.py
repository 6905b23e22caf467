"""Device messages: how a command reaches a meter and its answer comes back, whatever fails on the way."""

"""The villages' solar plants, as their Victron gateways publish them over MQTT."""

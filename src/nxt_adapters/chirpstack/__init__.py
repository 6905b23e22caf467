"""ChirpStack v4, the LoRaWAN network server, and the CALIN meters behind it."""

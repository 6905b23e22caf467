"""A LoRaWAN network server (ChirpStack v4) with CALIN meters on its radio."""

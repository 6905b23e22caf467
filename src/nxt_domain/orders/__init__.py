"""Orders: intentions to move money from one wallet to another, from their creation to their settlement."""

"""What both generations of CALIN's cloud have in common: meters behind DCUs, tasks for them, and their tokens."""

"""Stand-ins for the vendors, over real sockets, written from the specification alone.

They share no code with the adapters they stand opposite to: a wire format that both sides get
wrong in the same way would otherwise pass every test. Each can be told to be slow, down, wrong,
lossy, repetitive or out of order [R33].
"""

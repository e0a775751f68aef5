"""A box on this machine: the host side of the conversation with the guest in it."""

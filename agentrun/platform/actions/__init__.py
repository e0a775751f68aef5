"""What can be asked of a platform: each action decides in one transaction, and then lets the rest follow."""

"""What only a promotion of the real database needs: its address, its prechecks, its backup."""

"""What is written where so that an agent asks, and how it is taken back."""

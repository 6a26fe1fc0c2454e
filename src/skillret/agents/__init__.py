"""What an agent is told at a prompt, and how it comes to ask."""

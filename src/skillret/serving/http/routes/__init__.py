"""What can be asked, by subject; each module gives `router(...)`."""

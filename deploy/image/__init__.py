"""What the image is made from, and what makes it."""

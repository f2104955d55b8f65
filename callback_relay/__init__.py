"""Takes results from the broker and posts them to the LMS's callback URLs until each is delivered or parked."""

"""What operators' commands do to a running XQueue: redrive, discard, retire, and which uploads may be pruned."""

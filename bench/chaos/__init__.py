"""What a real cluster of three nodes and XQueue's processes do while a node freezes, dies or is cut off."""

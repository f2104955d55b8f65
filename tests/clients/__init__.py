"""Programs as others have written them around XQueue: LMSs and graders, each with its own habits."""

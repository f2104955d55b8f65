"""What XQueue's services and its graders have in common: links to files of broker_setup, copied into a wheel.

They import each other, relatively, and nothing else of XQueue's: so they are the same code under both names.
"""

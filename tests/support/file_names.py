"""Names of files as careless or hostile senders choose them."""

HOSTILE_NAMES = [
    "with some spaces.py",
    "ünïcödé 🐍.py",
    "../../../../etc/passwd",
    "..",
    ".",
    "",
    "/etc/passwd",
    "C:\\windows\\system32",
    "nul\x00byte",
    "new\r\nline",
    'quote".txt',
    "per%2fcent",
    "que?ry#hash",
    "semi;colon=a",
    "x" * 500,
    "é" * 500,
    "trailing.",
]

"""Numbers in sentences."""


def counted(n: int, thing: str) -> str:
    """Return ``n`` things: ``counted(1, "synapse")`` is '1 synapse', ``counted(0, "cell")`` '0 cells'."""
    return f"{n} {thing}" if n == 1 else f"{n} {thing}s"

def inner():
    return {}["key"]


def handling():
    try:
        inner()
    except KeyError:
        raise ValueError("while handling")


def deep(n):
    return deep(n + 1)


try:
    handling()
except ValueError as e:
    try:
        raise RuntimeError("a cause") from e
    except RuntimeError:
        deep(0)

"""How JSON is shown below the mount: an implementation that shares nothing with the program's.

Two spaces, one key per line, UTF-8 not escaped, a newline at the end; numbers stay what they
were digit by digit; config.json has its keys sorted, everything else the API's order.
"""

import json


class Number(str):
    """A JSON number as it was written."""


def parse(text):
    if isinstance(text, bytes):
        text = text.decode()
    return json.loads(text, parse_int=Number, parse_float=Number, strict=False)


def _render(value, level, sort):
    inner, outer = "  " * (level + 1), "  " * level
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, dict) and value:
        keys = sorted(value) if sort else list(value)
        rows = [inner + json.dumps(key, ensure_ascii=False) + ": "
                + _render(value[key], level + 1, sort) for key in keys]
        return "{\n" + ",\n".join(rows) + "\n" + outer + "}"
    if isinstance(value, list) and value:
        return "[\n" + ",\n".join(inner + _render(item, level + 1, sort) for item in value) \
            + "\n" + outer + "]"
    return json.dumps(value, ensure_ascii=False)


def render(value, sort=False):
    """The bytes of a file that shows `value`."""
    return (_render(value, 0, sort) + "\n").encode()


def config(value):
    """The bytes of config.json for a configuration."""
    return render(value, sort=True)

"""Templates, data URIs and colors of self-contained HTML pages."""

import base64
import io
from typing import Any

import jinja2
from PIL import Image

from tmunet.report.text_layout import escape_control


def environment() -> jinja2.Environment:
    """Make the Jinja2 environment: text and control characters are escaped, undefined names are errors."""
    return jinja2.Environment(
        loader=jinja2.PackageLoader("tmunet.report", ""),
        autoescape=True,
        finalize=lambda value: escape_control(value) if type(value) is str else value,  # markup is no longer str itself
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def data_uri(picture: Image.Image, kind: str, **options: Any) -> str:
    """Encode a picture as a data URI.

    Args:
        picture: what to encode.
        kind: ``"PNG"`` or ``"JPEG"``.
        options: of Pillow's encoder.
    """
    content = io.BytesIO()
    picture.save(content, kind, **options)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(content.getvalue()).decode('ascii')}"


def hex_color(color: tuple[int, int, int]) -> str:
    """Format a color for CSS.

    >>> hex_color((255, 166, 0))
    '#ffa600'
    """
    return "#" + bytes(color).hex()

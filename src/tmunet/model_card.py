"""The card of a trained model: what it is, where it comes from, how good it was, what it is not for."""

from collections.abc import Mapping, Sequence
from typing import Any

import yaml


def write_card(
    network: str, classes: Sequence[str], preprocess: Mapping[str, Any], provenance: Mapping[str, Any]
) -> str:
    """The card as Markdown with the YAML head that model hubs read."""
    facts = "\n".join(f"- {key.replace('_', ' ')}: {_inline(value)}" for key, value in provenance.items())
    head = "library_name: tmunet\npipeline_tag: image-segmentation\ntags: [medical-imaging, segmentation, tm-unet]"
    return f"""---
{head}
---
# {network}: {", ".join(classes[1:])}

A `{network}` network that labels each pixel of a 2D image as one of: {", ".join(f"{i} = {c}" for i, c in enumerate(classes))}.
Images are prepared as follows: {_inline(preprocess)}.

## Use

```python
from tmunet import Predictor
mask = Predictor("path/to/this/folder")("image.png").mask
```

## Where the weights come from

{facts or "- nothing was recorded"}

## Limits

Research software, not a medical device. Scores hold for images like those it was trained on; look at results on your own
images before you rely on them.
"""


def _inline(value: Any) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, allow_unicode=True, width=10_000)
    return text.removesuffix("\n...\n").strip()

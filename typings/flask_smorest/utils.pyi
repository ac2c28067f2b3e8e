from collections.abc import MutableMapping
from typing import Any

def prepare_response(
    response: MutableMapping[str, Any], spec: Any, default_response_content_type: str
) -> None: ...

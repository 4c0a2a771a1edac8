"""How plain data becomes configurations: unknown names are refused, and numbers that are not finite."""

from typing import Any

STRICT: dict[str, Any] = {"extra": "forbid", "allow_inf_nan": False}
"""What pydantic reads from a dataclass as `__pydantic_config__`."""

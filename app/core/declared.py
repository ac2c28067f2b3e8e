"""How a setting is declared: its default, how it is read and checked, and what it means.

A declaration is the default value of a dataclass's field:

    port: int = setting(8000, integer(0, 65535), "The API's port.")

The variable is the field's name in capitals. From the declarations alone `read_settings` reads the
environment, and docs/operating.md's table is checked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

from environs import Env, EnvValidationError, ValidationError, validate

from app.core.errors import SettingsError
from app.core.secret_files import with_files

Value = TypeVar("Value")


class Environment(Env):
    """environs over any mapping; empty means unset; problems are gathered, then raised at once."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        super().__init__(eager=False)
        self._source = environ

    def _get_value(self, env_key: str, default: Any) -> Any:
        value = self._source.get(env_key, "").strip()
        return value if value else default

    def parsed(self, variable: str, parse: Callable[[str], Value], default: Value) -> Value:
        """`variable` through `parse`, which raises ValidationError; `default` if it is unset."""
        value = self.str(variable, None)
        if value is None:
            return default
        try:
            return parse(value)
        except ValidationError as error:
            self._errors[variable].extend(str(message) for message in error.messages)
            return default

    def problems(self) -> dict[str, str]:
        """What is wrong with each variable that was read and is wrong. Ends the reading."""
        try:
            self.seal()
        except EnvValidationError as error:
            messages: Mapping[str, Any] = dict(error.error_messages)  # type: ignore[arg-type]
            return {variable: " ".join(map(str, said)) for variable, said in messages.items()}
        return {}

    def given(self, variable: str) -> str:
        """What the mapping holds, as it is."""
        return self._source.get(variable, "")


Reader = Callable[[Environment, str, Value], Value]
"""Reads a variable, given its name and its default."""


@dataclass(frozen=True, slots=True)
class Declaration:
    """A setting. `secret`: its value may hold a password, which no message must repeat."""

    name: str
    variable: str
    default: Any
    read: Reader[Any]
    meaning: str
    secret: bool


def setting(
    default: Value,
    read: Reader[Value],
    meaning: str,
    *,
    variable: str | None = None,
    secret: bool = False,
) -> Value:
    """Declare a setting; for a dataclass's field, whose `default` it is.

    `meaning`: a line for the documents. `variable`: where it is not the field's name in capitals.
    """
    metadata = {"read": read, "meaning": meaning, "variable": variable, "secret": secret}
    if isinstance(default, dict):
        made: Any = field(default_factory=default.copy, repr=not secret, metadata=metadata)
    else:
        made = field(default=default, repr=not secret, metadata=metadata)
    declared: Value = made
    return declared


def declarations(settings: type) -> tuple[Declaration, ...]:
    """The settings that the dataclass declares, in its order."""
    return tuple(
        Declaration(
            name=one.name,
            variable=one.metadata["variable"] or one.name.upper(),
            default=one.default_factory() if callable(one.default_factory) else one.default,
            read=one.metadata["read"],
            meaning=one.metadata["meaning"],
            secret=one.metadata["secret"],
        )
        for one in fields(settings)
    )


def read_settings(settings: type[Value], environ: Mapping[str, str]) -> Value:
    """Make `settings` of what `environ` gives. Raises SettingsError, with a line a wrong variable.

    An empty variable counts as unset. What is secret may be in a file (secret_files.py).
    """
    declared = {one.variable: one for one in declarations(settings)}
    secrets = [variable for variable, one in declared.items() if one.secret]
    environ, problems_of_files = with_files(environ, secrets)
    env = Environment(environ)
    values = {one.name: one.read(env, variable, one.default) for variable, one in declared.items()}
    problems = {
        variable: said if declared[variable].secret else f"{said} It is {env.given(variable)!r}."
        for variable, said in env.problems().items()
    } | problems_of_files
    if problems:
        lines = (f"{variable}: {said}" for variable, said in sorted(problems.items()))
        raise SettingsError("\n".join(lines))
    return settings(**values)


def integer(low: int, high: int | None = None) -> Reader[int]:
    """A whole number from `low` to `high`, both included."""
    allowed = validate.Range(low, high)
    return lambda env, name, default: _or(env.int(name, default, validate=allowed), default)


def seconds(high: float = 3600) -> Reader[float]:
    """A time above 0 s, and `high` at most."""
    allowed = validate.Range(0, high, min_inclusive=False)
    return lambda env, name, default: _or(env.float(name, default, validate=allowed), default)


def flag() -> Reader[bool]:
    """Yes or no: `1`, `true`, `on` or `0`, `false`, `off`."""
    return lambda env, name, default: _or(env.bool(name, default), default)


def text() -> Reader[Any]:
    """Any text."""
    return lambda env, name, default: env.str(name, default)


def parsed(parse: Callable[[str], Value]) -> Reader[Any]:
    """Text that `parse` makes a value of, or refuses by ValidationError."""
    return lambda env, name, default: env.parsed(name, parse, default)


def one_of(*allowed: str, fold: Callable[[str], str] = str) -> Reader[str]:
    """One of some words, after `fold` (`str.upper`)."""

    def check(value: str) -> str:
        if fold(value) not in allowed:
            raise ValidationError(f"Must be one of {', '.join(allowed)}.")
        return fold(value)

    return parsed(check)


def _or(value: Value | None, default: Value) -> Value:
    """`value`, or what it has to be where environs gave none, because it is wrong."""
    return default if value is None else value

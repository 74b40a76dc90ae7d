"""The tokens of the Monitoring Query Language, and a cursor over them with clear complaints."""

import re
from dataclasses import dataclass
from typing import Never

_MAX_NODES = 200  # operators, parentheses and statistics; a guard for the parser's own stack
_TOKEN = re.compile(
    r"""(?P<space>\s+)
    |(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
    |(?P<name>[A-Za-z_][\w:/$\-]*(?:\.[\w:/$\-]+(?![\w:/$\-]*\s*\())*)
    |(?P<text>"(?:[^"\\]|\\.)*")
    |(?P<operator>&&|\|\||>=|<=|==|!=|=~|[-+*/%<>=(){}\[\],.])""",
    re.VERBOSE,
)


class MqlError(ValueError):
    """The text is not a usable query.

    Attributes:
        message: one sentence, without the place.
        column: where, counted from 1.
    """

    def __init__(self, message: str, column: int) -> None:
        super().__init__(f"MQL column {column}: {message}")
        self.message = message
        self.column = column


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the text: kind (number, name, text, operator, end) and column from 1."""

    kind: str
    text: str
    column: int


def tokenize(text: str) -> list[Token]:
    """Split text into tokens, closed by one of kind `end`.

    Raises:
        MqlError: a character that no token begins with.
    """
    tokens: list[Token] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            if text[position] in "\"'":
                raise MqlError('text needs double quotes on both sides: "value"', position + 1)
            raise MqlError(f"{text[position]!r} has no meaning here", position + 1)
        kind = str(match.lastgroup)
        if kind != "space":
            tokens.append(Token(kind, match.group(), position + 1))
        position = match.end()
    return [*tokens, Token("end", "", len(text) + 1)]


class Cursor:
    """Walks over the tokens with one token of look-ahead."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._at = 0
        self._nodes = 0

    @property
    def next(self) -> Token:
        """The token under the cursor."""
        return self._tokens[self._at]

    def take(self) -> Token:
        """Return the token under the cursor and move on."""
        token = self.next
        self._at = min(self._at + 1, len(self._tokens) - 1)
        return token

    def skip(self, text: str) -> bool:
        """Move on if the token is `text`; say whether it was."""
        found = self.next.text == text
        if found:
            self.take()
        return found

    def expect(self, text: str, after: str) -> None:
        """Move over `text`, or complain that it is missing after something."""
        if not self.skip(text):
            self.fail(f"expected {text!r} after {after}")

    def fail(self, message: str, at: Token | None = None) -> Never:
        """Complain about the token `at`, or else about what was found instead."""
        token = at or self.next
        found = "" if at else f", found {token.text!r}" if token.text else ", found the end"
        raise MqlError(message + found, token.column)

    def name(self, what: str) -> str:
        """Take a name."""
        if self.next.kind != "name":
            self.fail(f"expected {what}")
        return self.take().text

    def grow(self, token: Token) -> None:
        """Count one more node of the tree, so that hostile text cannot exhaust the stack."""
        self._nodes += 1
        if self._nodes > _MAX_NODES:
            self.fail(f"the query is too deep: more than {_MAX_NODES} operators", token)

    def end(self) -> None:
        """Complain about anything that is left over."""
        if self.next.kind != "end":
            self.fail("expected the end of the query or an operator")

    def number(self, what: str) -> float:
        """Take a finite number with an optional minus sign."""
        sign = -1.0 if self.skip("-") else 1.0
        if self.next.kind != "number":
            self.fail(f"expected {what}")
        token = self.take()
        value = sign * float(token.text)
        if value in (float("inf"), float("-inf")):
            self.fail(f"the number {token.text} is too large", token)
        return value

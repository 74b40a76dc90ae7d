"""The few pages that central itself shows to browsers: plain HTML, no script, no style."""

from html import escape

from fastapi.responses import HTMLResponse

_PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>{title} - Poolkeeper</title></head>
<body><h1>{title}</h1><p>{sentence}</p>{more}</body>
</html>
"""


def page(title: str, sentence: str, *, status: int = 200, more: str | None = None) -> HTMLResponse:
    """A page with one sentence, and perhaps a second one."""
    extra = f"<p>{escape(more)}</p>" if more else ""
    content = _PAGE.format(title=escape(title), sentence=escape(sentence), more=extra)
    return HTMLResponse(content, status_code=status)


def login_failed(shown: str, request_id: str | None) -> HTMLResponse:
    """What a browser sees after a login that was refused; the audit tells the reason."""
    more = f"An administrator finds the reason in the audit log under {request_id or '-'}."
    return page("The login did not succeed", shown, status=403, more=more)

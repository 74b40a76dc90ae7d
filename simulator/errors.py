"""OCI's error answers: HTTP status, code, message.

Codes after Oracle's "API Errors" (API/References/apierrors.htm). The SDK 2.189 turns them into
`oci.exceptions.ServiceError` with the same fields.
"""


class ApiError(Exception):
    """An answer with an error body `{"code": ..., "message": ...}`."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message


def not_authenticated(message: str) -> ApiError:
    """401: wrong key, wrong signature or a Date that is off by more than five minutes."""
    return ApiError(401, "NotAuthenticated", message)


def not_found() -> ApiError:
    """404: OCI does not tell what is missing from what is forbidden."""
    return ApiError(
        404, "NotAuthorizedOrNotFound", "Authorization failed or requested resource not found."
    )


def not_allowed() -> ApiError:
    """403: the caller is known but may not do this."""
    return ApiError(403, "NotAllowed", "The requested operation is not allowed for this principal.")


def invalid(message: str) -> ApiError:
    """400: a parameter that cannot be used."""
    return ApiError(400, "InvalidParameter", message)


def missing(name: str) -> ApiError:
    """400: a required parameter is not there."""
    return ApiError(400, "MissingParameter", f"Missing required parameter: {name}")


def unreadable(message: str) -> ApiError:
    """400: the body is not what the operation takes."""
    return ApiError(400, "CannotParseRequest", message)


def incorrect_state(message: str) -> ApiError:
    """409: the resource is busy; transient."""
    return ApiError(409, "IncorrectState", message)


def invalidated_retry_token() -> ApiError:
    """409: a retry token came back with another request."""
    return ApiError(
        409,
        "InvalidatedRetryToken",
        "The provided retry token was used in an earlier request with different parameters.",
    )


def no_etag_match() -> ApiError:
    """412: the resource changed since its etag was read."""
    return ApiError(412, "NoEtagMatch", "The if-match header does not match the current etag.")


def too_many_requests(message: str = "Too many requests for the tenancy") -> ApiError:
    """429: throttled."""
    return ApiError(429, "TooManyRequests", message)


CODES = {
    400: "InvalidParameter",
    401: "NotAuthenticated",
    403: "NotAllowed",
    404: "NotAuthorizedOrNotFound",
    409: "IncorrectState",
    412: "NoEtagMatch",
    429: "TooManyRequests",
    500: "InternalError",
    502: "BadGateway",
    503: "ServiceUnavailable",
    504: "GatewayTimeout",
}
"""The usual code of each status, for injected errors that name none."""

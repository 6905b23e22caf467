"""One verb each: who is calling, and the lives of people's accounts."""

from nxt_domain.identity.use_cases.authenticate import (
    AuthenticateDataReader,
    AuthenticateKey,
    AuthenticateService,
    AuthenticateUser,
    require_data_reader,
)

__all__ = [
    "AuthenticateDataReader",
    "AuthenticateKey",
    "AuthenticateService",
    "AuthenticateUser",
    "require_data_reader",
]

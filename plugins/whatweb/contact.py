"""Our own proof that a web target answers: one GET, of which only the status line and headers are read.

Redirects are not followed. A certificate is not judged (other plugins do), but a host that
cannot prove who it is does not get the profile's own headers: they may be secrets.
"""

from __future__ import annotations

import http.client
import ssl
import urllib.error
import urllib.parse
import urllib.request


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


def answer(url, http_wishes, timeout_s):
    """(HTTP status, certificate trusted) of `url`. Raises OSError, with a reason, where it gave none."""
    try:
        return _get(
            url, http_wishes, ssl.create_default_context(cafile=http_wishes["ca_file"]), timeout_s
        ), True
    except ssl.SSLCertVerificationError:
        context = ssl._create_unverified_context()  # noqa: SLF001 - see above
        return _get(url, {**http_wishes, "headers": {}}, context, timeout_s), False


def _get(url, http_wishes, context, timeout_s):
    proxy = http_wishes["proxy"]
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({"http": proxy, "https": proxy} if proxy else {}),
        urllib.request.HTTPSHandler(context=context),
        _Stay(),
    )
    request = urllib.request.Request(url, headers=headers(http_wishes))
    try:
        with opener.open(request, timeout=timeout_s) as response:
            return response.status
    except urllib.error.HTTPError as error:
        error.close()
        return error.code
    except urllib.error.URLError as error:
        if isinstance(error.reason, ssl.SSLCertVerificationError):
            raise error.reason from error
        raise OSError(str(error.reason)) from error
    except (http.client.HTTPException, ValueError) as error:
        raise OSError(f"no HTTP answer ({type(error).__name__}: {error})") from error


def headers(http_wishes):
    """The profile's headers with its user agent, which a `User-Agent` header of its own replaces."""
    return {"User-Agent": http_wishes["user_agent"], **http_wishes["headers"]}


def proxy_parts(proxy):
    """host, port, user and password of an ``http://`` proxy. Raises ValueError for any other kind."""
    parts = urllib.parse.urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    if parts.scheme != "http" or not parts.hostname:
        raise ValueError(f"whatweb can use an http:// proxy only, not `{parts.scheme}://`")
    unquote = urllib.parse.unquote
    return {
        "host": parts.hostname,
        "port": parts.port or 8080,
        "user": unquote(parts.username) if parts.username else None,
        "password": unquote(parts.password) if parts.password else None,
    }

"""Who a simulated board is to its server: the ways to come by a device's access token."""

from collections.abc import Callable, Sequence

from cota.errors import CotaError
from cota.thingsboard.client import Client
from cota.thingsboard.provisioning import provision
from cota.thingsboard.session import id_of

# Name of a board -> its device's access token.
TokenSource = Callable[[str], str]


def given(names: Sequence[str], tokens: Sequence[str]) -> TokenSource:
    """Hand out the tokens that were given, in the order of the boards.

    Raises:
        CotaError: there are not as many tokens as boards.
    """
    if len(names) != len(tokens):
        raise CotaError(f"{len(names)} boards need {len(names)} tokens; {len(tokens)} came.", "Give --token once for each board.")
    return dict(zip(names, tokens, strict=True)).__getitem__


def provisioned(server: str, key: str, secret: str) -> TokenSource:
    """Let each board make its own device by ThingsBoard's device provisioning."""
    return lambda name: provision(server, key, secret, name)


def administered(client: Client) -> TokenSource:
    """Find each board's device as an administrator, or make it."""

    def token(name: str) -> str:
        device = client.devices.find(name) or client.devices.create(name)
        return client.devices.token(id_of(device))

    return token

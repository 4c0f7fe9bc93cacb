"""Drawing from a tap for as long as somebody reads; whoever stops reading has left the tap."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from streams.ingest.subscription import Item, Subscription
from streams.media.packets import Epoch, Fragment


async def drawn(subscription: Subscription) -> AsyncGenerator[Item, None]:
    """Give out everything, in its order."""
    try:
        async for item in subscription:
            yield item
    finally:
        subscription.close()


async def pictures(subscription: Subscription) -> AsyncGenerator[Epoch | Fragment, None]:
    """Give out epochs and fragments alone."""
    async with aclosing(drawn(subscription)) as items:
        async for item in items:
            if isinstance(item, Epoch | Fragment):
                yield item

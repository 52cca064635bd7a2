"""CPython's free lists: memory of ended objects, kept for the next objects of their type."""

import gc


def clear() -> None:
    """Give the free lists' memory back, and hold the streams up no longer than a usual search.

    CPython keeps up to 2,000 ended tuples of each length below 20, and lists, dictionaries and
    frames. Only a full collection empties those lists, and a gateway has none: it would search a
    million objects of streams that are open. By that a gateway's memory rose by 1 to 3 MiB in an
    hour of ``bench soak``. While everything is frozen there is nothing to search, so the lists are
    emptied at once. The newest objects are searched first: thawed, they count as old.
    """
    gc.collect(1)
    gc.freeze()
    try:
        gc.collect()
    finally:
        gc.unfreeze()

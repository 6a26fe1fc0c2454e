"""The folder of what hooks leave behind. Nothing is imported: an agent waits at every prompt."""

import os
import sys

__all__ = ["private_folder", "state_folder"]


def state_folder() -> str:
    """Where the OS keeps a program's state, as `platformdirs` says, which takes longer to import.

    Returns:
        An absolute path, or an empty text where there is no home directory.
    """
    home = os.path.expanduser("~")  # noqa: PTH111
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA", "").strip()
        if not os.path.isabs(base):  # noqa: PTH117
            base = os.path.join(home, "AppData", "Local")  # noqa: PTH118
    elif sys.platform == "darwin":
        base = os.path.join(home, "Library", "Application Support")  # noqa: PTH118
    else:
        base = os.environ.get("XDG_STATE_HOME", "").strip()
        if not os.path.isabs(base):  # noqa: PTH117
            base = os.path.join(home, ".local", "state")  # noqa: PTH118
    return os.path.join(base, "skillret") if os.path.isabs(base) else ""  # noqa: PTH117, PTH118


def private_folder(*, make: bool = True) -> str | None:
    """The folder `agents` in there, if nobody else can read or write in it.

    Args:
        make: Make it if it is missing.

    Returns:
        None if it is not there, cannot be made, is a link, or belongs to someone else.
    """
    state = state_folder()
    if not state:
        return None
    folder = os.path.join(state, "agents")  # noqa: PTH118
    try:
        if make and not os.path.lexists(folder):
            os.makedirs(state, exist_ok=True)  # noqa: PTH103
            try:  # noqa: SIM105 (contextlib would have to be imported)
                os.mkdir(folder, 0o700)  # noqa: PTH102
            except FileExistsError:  # another hook was quicker
                pass
        found = os.lstat(folder)
        if found.st_mode & 0o170000 != 0o040000:  # no folder, or a link to one
            return None
        if sys.platform != "win32":  # there, a user's folders are closed to others anyway
            if found.st_uid != os.getuid():
                return None
            if found.st_mode & 0o777 != 0o700:
                os.chmod(folder, 0o700)  # noqa: PTH101
    except OSError:
        return None
    return folder

"""Servers that say who they are, to see where connections go."""

import collections
import threading


class NamedServers:
    """Listeners that greet with their name and hold each connection until it ends."""

    def __init__(self, endpoint, closing, count):
        self.places = [endpoint() for _ in range(count)]
        for at, place in enumerate(self.places):
            listener = closing(place.listen())
            threading.Thread(target=self.serve, args=(listener, b"%d" % at), daemon=True).start()

    @staticmethod
    def serve(listener, name):
        listener.settimeout(None)
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=NamedServers.hold, args=(peer, name), daemon=True).start()

    @staticmethod
    def hold(peer, name):
        with peer:
            try:
                peer.sendall(name)
                peer.recv(1)
            except OSError:
                pass

    def lines(self, words=()):
        words = [*words, *[""] * (len(self.places) - len(words))]
        return [f"server s{at} {place.text} {words[at]}" for at, place in enumerate(self.places)]


def counts(visit, times):
    return collections.Counter(visit() for _ in range(times))

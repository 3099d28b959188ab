"""How functions get to a server: pickled on the client, unpickled there by a loader sent along."""

"""Approvals: an `ask` becomes a request that people answer, and an approval a lease that is used once (L10).

    asking     a decision that asks -> an open request, or the lease that answers it
    request    what a request says, as a document of the store
    answering  people's answers -> the next state of a request
    desk       what hosts and the command line do with all of it

The store keeps nothing but documents with versions, so whatever happens to a request happens once.
"""

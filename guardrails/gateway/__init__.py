"""The MCP gateway: between any MCP client and any number of MCP servers, with a policy in every message.

`links` is the port that transports implement, `messages` reads frames, `eras` knows both protocols, `upstream` talks
to one server, `exchange` to one client, `judging` asks the policy. No MCP SDK is used.
"""

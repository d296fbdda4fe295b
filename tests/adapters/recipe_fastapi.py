"""The recipe for FastAPI; see `test_recipes`."""

# --- recipe
from typing import Annotated

from fastapi import Depends, FastAPI, Header
from fastapi.responses import JSONResponse

from guardrails import ApprovalRequired, Denied, Guard, Halted
from guardrails.session import Session


def guarded_app(guard: Guard) -> FastAPI:
    """An application whose routes act under the policy, one session for each conversation."""
    app = FastAPI()

    def session(x_user: Annotated[str, Header()], x_conversation: Annotated[str, Header()]) -> Session:
        return guard.session(
            id=f"{x_user}/{x_conversation}", principal={"id": x_user}
        )  # from your own log-in

    @app.exception_handler(Denied)
    @app.exception_handler(Halted)
    async def refused(request, error):
        return JSONResponse({"error": str(error)}, status_code=403)

    @app.exception_handler(ApprovalRequired)
    async def asked(request, error):
        return JSONResponse({"error": str(error), "request": error.decision.request}, status_code=409)

    @app.post("/pay")
    async def pay(amount: float, to: str, session: Annotated[Session, Depends(session)]):
        async def pay(amount: float, to: str):
            return {"paid": amount, "to": to}  # what your application does

        return await session.enforce(pay)(amount=amount, to=to)

    return app

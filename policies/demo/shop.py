"""A small shop: one SQLite database, and the tools that a support agent works on it with.

The tools are plain functions that do what they are told, to anybody's order, in any amount and with several
statements in a query. Nothing in them knows of a policy.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

_SCHEMA = """
create table customers (id text primary key, name text, email text, tier text, password_hash text);
create table orders (id text primary key, customer_id text, status text, total real, currency text,
                     paid_with text, note text, margin real, risk_score real);
create table products (id text primary key, name text, price real);
create table refunds (order_id text, customer_id text, amount real, currency text, reason text);
create table outbox (recipient text, subject text, body text);
"""

_CUSTOMERS = [
    ("c-17", "Lena Moser", "lena@mail.test", "gold", "pbkdf2$9f1c"),
    ("c-99", "Viktor Hale", "viktor@mail.test", "basic", "pbkdf2$77ab"),
]
_ORDERS = [
    ("ORD-104233", "c-17", "delivered", 89.9, "EUR", "card 4111 1111 1111 1111", "left with a neighbour", 31.5, 0.1),
    ("ORD-104300", "c-17", "delivered", 420.0, "EUR", "card 5500-0000-0000-0004", "", 160.0, 0.2),
    ("ORD-300777", "c-99", "shipped", 60.0, "EUR", "card 340000000000009", "", 12.0, 0.9),
]  # fmt: skip
_PRODUCTS = [("p-1", "desk lamp", 39.9), ("p-2", "floor lamp", 119.0)]


class Shop:
    """The database, and one method for each tool of the support pack that the demo uses."""

    def __init__(self, file: Path) -> None:
        self.connection = sqlite3.connect(file)
        self.connection.row_factory = sqlite3.Row
        self.connection.executescript(_SCHEMA)
        self._fill("customers", _CUSTOMERS)
        self._fill("orders", _ORDERS)
        self._fill("products", _PRODUCTS)

    def _fill(self, table: str, rows: list[Any]) -> None:
        marks = ", ".join("?" * len(rows[0]))
        self.connection.executemany(f"insert into {table} values ({marks})", rows)
        self.connection.commit()

    def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        return [dict(row) for row in self.connection.execute(query, values)]

    # --- tools ---------------------------------------------------------------------------------

    def get_order(self, customer_id: str, order_id: str) -> dict[str, Any]:
        return self.rows("select * from orders where id = ?", order_id)[0]

    def query_catalog(self, query: str) -> list[dict[str, Any]]:
        *first, last = query.split(";")
        self.connection.executescript(";".join(first))
        return self.rows(last)

    def issue_refund(
        self, customer_id: str, order_id: str, amount: float, currency: str, reason: str
    ) -> dict[str, Any]:
        self._fill("refunds", [(order_id, customer_id, amount, currency, reason)])
        return {"refunded": amount, "order_id": order_id}

    def send_email(self, to: str, subject: str, body: str) -> str:
        self._fill("outbox", [(to, subject, body)])
        return f"sent to {to}"

    def delete_customer(self, customer_id: str) -> str:
        self.connection.execute("delete from customers where id = ?", (customer_id,))
        return f"{customer_id} is gone"

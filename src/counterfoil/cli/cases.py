"""`counterfoil cases`: what a person is asked, why, and how it is answered."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from counterfoil.cli import paper, premises, tenants
from counterfoil.cli.options import DataDir, Json, entry_of
from counterfoil.cli.troubles import Exit, NotFound, Trouble

if TYPE_CHECKING:
    from counterfoil.engine.house import House

app = typer.Typer(help="Questions for a person.", no_args_is_help=True)
Tenant = Annotated[str, typer.Option("--tenant", metavar="T", help="Whose books.")]
Identity = Annotated[str, typer.Argument(metavar="CASE", help="Which question: case_...")]
LISTED_MAX = 200


class AnswerRefused(Trouble):
    """The question can't be answered so."""

    code = "answer_refused"
    remedy = "Look at the question with counterfoil cases show"
    exit_code = Exit.REFUSED


@app.command("list")
def listing(
    context: typer.Context,
    status: Annotated[str, typer.Option(metavar="S", help="open or resolved.")] = "open",
    question: Annotated[str | None, typer.Option(metavar="Q", help="Only this question.")] = None,
    tenant: Tenant = "default",
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """List questions, the newest first. Ends with 1 when any is open."""
    from counterfoil.engine import looks
    from counterfoil.store.pages import Filter, Page

    with premises.house_of(entry_of(context), data_dir=data_dir) as house:
        wanted = Filter(statuses=(status,), kinds=(question,) if question else None)
        whose = tenants.named(house, tenant).id
        found = looks.look(house, whose, lambda tx: looks.cases(tx, Page(limit=LISTED_MAX), wanted))[:LISTED_MAX]
    for each in found:
        if as_json:
            paper.say_json(each)
        else:
            typer.echo(f"{each['id']}  {paper.words(each['question']):22} {each['subject']}  {each['detail']}")
    if not found and not as_json:
        typer.echo("Nobody is asked anything.")
    if any(each["status"] == "open" for each in found):
        raise typer.Exit(Exit.FINDINGS)


@app.command()
def show(
    context: typer.Context, case: Identity, tenant: Tenant = "default", data_dir: DataDir = None, as_json: Json = False
) -> None:
    """Show a question, why it is asked, and what each answer does."""
    with premises.house_of(entry_of(context), data_dir=data_dir) as house:
        found = _case(house, tenants.named(house, tenant).id, case)
    if as_json:
        paper.say_json(found)
        return
    typer.echo(f"{found['id']}  {paper.words(found['question'])}, {found['status']}")
    typer.echo(found["detail"])
    typer.echo(f"About {found['subject']}: counterfoil explain {found['subject']}")
    for answer, does in found["answers"].items():
        typer.echo(f"  {answer:10} {does}")


@app.command()
def resolve(
    context: typer.Context,
    case: Identity,
    answer: Annotated[str, typer.Argument(metavar="ANSWER", help="handled or dismissed.")],
    note: Annotated[str, typer.Option(metavar="TEXT", help="What you have to say about it.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what it would do, and do nothing.")] = False,
    tenant: Tenant = "default",
    data_dir: DataDir = None,
) -> None:
    """Answer a question. It moves no money: what the answer asks for is a command of its own."""
    import json

    from counterfoil.core.cases import BY_A_PERSON, Resolution
    from counterfoil.engine import cases, commands, operations

    if answer not in BY_A_PERSON:
        raise AnswerRefused(f"{answer!r} is no answer; there are {', '.join(BY_A_PERSON)}")
    with premises.house_of(entry_of(context), data_dir=data_dir) as house:
        whose = tenants.named(house, tenant).id
        _case(house, whose, case)
        body = json.dumps({"case": case, "resolution": answer, "note": note}).encode()
        request = commands.Request("cli cases resolve", "cli", None, body, dry_run=dry_run)
        asked = operations.Asked(house, whose, request)
        told = cases.resolve_case(asked, case, Resolution(answer), note).answer
    said: dict[str, Any] = json.loads(told.body)
    if told.status >= 400:
        raise AnswerRefused(str(said.get("detail")))
    paper.say_json(said)


def _case(house: "House", tenant: str, case: str) -> dict[str, Any]:
    from counterfoil.core.cases import ANSWERS
    from counterfoil.engine import looks

    found = looks.look(house, tenant, lambda tx: looks.case(tx, case))
    if found is None:
        raise NotFound(f"there is no question {case!r}")
    return found | {"answers": {str(answer): does for answer, does in ANSWERS.items()}}

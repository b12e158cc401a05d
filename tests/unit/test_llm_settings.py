import pytest

from flotilla.errors import ConfigurationError
from flotilla.settings import Price, load_settings


def test_a_chain_of_fallbacks_and_a_table_of_prices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOTILLA_LLM_FALLBACKS", "openai:small, other:m ,cached,extractive")
    monkeypatch.setenv("FLOTILLA_LLM_PRICES", '{"openai:small": {"input": 0.15, "output": 0.6}}')
    llm = load_settings().llm
    assert llm.fallbacks == ("openai:small", "other:m", "cached", "extractive")
    assert llm.prices == {"openai:small": Price(input=0.15, output=0.6)}


def test_a_bare_name_stands_where_an_address_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOTILLA_LLM_FALLBACKS", "llama3")
    monkeypatch.setenv("FLOTILLA_LLM_FALLBACK_BASE_URL", "http://127.0.0.1:11434/v1")
    assert load_settings().llm.fallbacks == ("llama3",)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("FLOTILLA_LLM_FALLBACKS", "cached,openai:small", "behind the models"),
        ("FLOTILLA_LLM_FALLBACKS", "llama3", "FLOTILLA_LLM_FALLBACK_BASE_URL"),
        ("FLOTILLA_LLM_GRADE_MODEL", "llama3", "FLOTILLA_LLM_GRADE_MODEL"),
        ("FLOTILLA_LLM_PRICES", "cheap", "FLOTILLA_LLM_PRICES: it has to be JSON"),
        ("FLOTILLA_LLM_PRICES", '{"m": {"input": 1}}', "FLOTILLA_LLM_PRICES"),
        ("FLOTILLA_LLM_STRUCTURED", "xml", "FLOTILLA_LLM_STRUCTURED"),
    ],
)
def test_a_wrong_value_is_one_line_that_names_the_variable(
    name: str, value: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=told) as caught:
        load_settings()
    assert "\n" not in caught.value.message

from shared.first_error import first_error


def test_the_first_error_is_found_inside_nested_groups() -> None:
    first, second = ValueError("first"), ValueError("second")
    group = ExceptionGroup("", [ExceptionGroup("", [first]), second])

    assert first_error(group) is first

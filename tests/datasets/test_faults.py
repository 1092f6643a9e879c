from tmunet.datasets._build.faults import DatasetImportError, Fault


def test_a_fault_is_its_sentence_and_keeps_its_parts():
    fault = Fault("mask-size", "m/1.png", "expected 3 x 4", "export it again")
    assert fault == "m/1.png: expected 3 x 4; export it again."
    assert (fault.kind, fault.path, fault.message, fault.hint) == (
        "mask-size",
        "m/1.png",
        "expected 3 x 4",
        "export it again",
    )
    assert Fault("layout", "", "nothing.") == "nothing."


def test_the_report_groups_by_kind_and_shows_eight_of_each():
    faults = [Fault("mask-size", f"m/{n}.png", "too small", "export it again") for n in range(1000)]
    error = DatasetImportError("set", [*faults, Fault("layout", "", "no images.")])
    lines = str(error).splitlines()
    assert len(error.faults) == 1001
    assert lines[1] == "FAULT mask-size (1,000)"
    assert sum(line.endswith(".png: too small") for line in lines) == 8
    assert sum("992" in line for line in lines) == 1
    assert sum("export it again" in line for line in lines) == 1
    assert lines[-2:] == ["FAULT layout (1)", "  no images."]

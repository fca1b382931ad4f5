"""Where each way of failing is made to happen; the numbers are those of the list that issue 10 asks for.

 1 killed while it saves             training/test_run test_a_killed_training_goes_on; soak/soak_kills
 2 killed between two saves          training/test_run test_a_killed_training_goes_on
 3 SIGTERM while it trains           training/test_run test_a_signal_ends_after_the_step, test_a_signal_to_the
 4 Ctrl-C once, and twice            training/test_run test_a_signal_ends_after_the_step
                                     training/test_signals test_a_second_ctrl_c_ends_at_once
 5 ranks: stopped, killed, failed    training/test_ranks test_sigterm_ends_both_ranks, test_a_killed_rank_ends
   or without their launcher         training/test_ranks test_a_loss_that_is_not_finite, test_a_killed_launcher
                                     ranks/test_world test_a_rank_whose_launcher_died
 6 disk full when it saves           test_checkpoint test_a_full_disk; training/test_run test_a_full_disk
                                     test_files test_a_full_disk; cli/test_rewrite test_a_full_disk, test_a_disk_that_is
                                     cli/test_detect_process test_a_full_disk_leaves_the_old
 7 standard output full or closed    cli/test_console test_a_full_standard_output, test_a_closed_pipe
                                     cli/test_detect_process test_a_full_disk_behind_stdout, test_a_reader_that
 8 no place to write                 cli/test_rewrite test_a_place_that_cannot_be_written, test_a_read_only_folder
                                     cli/test_detect test_a_place_that_cannot; export/test_write test_a_place_that
                                     training/test_run test_a_place_that_cannot_be_written
 9 photos of every broken kind       cli/test_detect test_bad_photos, test_photos_broken; soak/soak_images
                                     images/test_decode test_cmyk, test_of_16_bits, test_a_palette, test_an_animation
10 photos that vanish, pipes, links  inference/test_sources test_a_photo_that_vanishes, test_folders_with_the_names
                                     cli/test_rewrite test_what_vanishes
11 a cut photo in training           training/test_run test_a_cut_photo; cli/test_validate test_a_damaged
12 a loader that dies, hangs, raises training/test_mishaps test_a_loader_process; training/test_run test_a_cut_photo
13 little shared memory              cli/test_doctor test_little_room
14 no memory                         training/test_mishaps test_a_process_that_may_take_no_more_memory
15 no memory on a GPU                training/test_mishaps test_memory_that_runs_out
16 a loss that is not finite         training/test_run test_a_diverged_training
                                     training/test_ranks test_a_loss_that_is_not_finite
17 a .pt file that runs code         export/test_hostile test_code_in_a_pickle; test_checkpoint test_a_pickle_with_code
18 damaged models                    export/test_hostile test_a_checkpoint_cut, test_an_onnx_file_cut, test_a_pickled
                                     export/test_hostile test_a_header, test_a_configuration, test_weights_that
19 ONNX weights in another file      inference/test_onnx_runtime test_weights_in_another_file
20 names that lead out               dataset/test_hostile test_a_file_name_that_leads_out, test_a_photo_behind_a_link
21 bombs and deep nesting            dataset/test_hostile test_a_document_type, test_an_alias_bomb, test_deep_json
                                     dataset/test_hostile test_refusals_take_less_than_200_megabytes
22 bad boxes                         dataset/test_builder test_the_policy; dataset/test_checks test_a_repair
                                     dataset/test_fuzz test_; soak/soak_readers
23 going on with something else      training/test_run test_resuming_on_other_data, test_resuming_another_model
                                     training/test_run test_resuming_with_another_recipe
24 two runs in one folder            training/test_run test_a_second_training, test_the_lock_of_a_killed_training
25 names of any kind, no folder      inference/test_records test_any_name; dataset/test_names_written test_names
                                     cli/test_detect test_text_is_for_people; images/test_decode test_hostile_names
                                     cli/test_console test_a_working_folder_that_was_removed
26 a dashboard that fails            training/test_loggers test_a_dashboard_that_fails
27 a package that is not there       training/test_loggers test_an_extra; cli/test_detect test_a_video_without_pyav
28 half an environment               ranks/test_world test_a_world_half_described
                                     training/test_ranks test_a_half_set_environment
29 not the same twice                test_network test_no_verb_opens_a_socket; training/test_same_bytes test_workers
                                     cli/test_rewrite test_the_same_command_gives_the_same_bytes
30 an export that differs            export/test_write test_a_file_that_differs_never_appears
"""

import re
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parent


def named(table: str) -> Iterator[tuple[str, str]]:
    """Give file and beginning of name of each test in the table; a file of the soak runs as a whole."""
    file = ""
    for word in re.findall(r"(?<= )(?:\w+/)*(?:test|soak)_\w*", table):
        if "/" in word or (TESTS / f"{word}.py").is_file():
            file = word
        yield file, word if word != file else ""


def test_every_fault_has_its_tests() -> None:
    assert __doc__ is not None
    numbers = [int(number) for number in re.findall(r"^( ?\d+) ", __doc__, re.MULTILINE)]
    assert numbers == list(range(1, 31))
    missing = [
        f"{file}: {name}"
        for file, name in named(__doc__)
        if not (TESTS / f"{file}.py").is_file() or f"def {name}" not in (TESTS / f"{file}.py").read_text()
    ]
    assert missing == []

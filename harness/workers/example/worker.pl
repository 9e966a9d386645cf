#!/usr/bin/perl
# The example of CONTRIBUTING.md: noop and cpu, a process a worker, in one file of Perl's core modules.
use strict;
use warnings;
use IO::Handle;
use Socket;
use Time::HiRes qw(clock_gettime CLOCK_MONOTONIC sleep);

my $M = 2147483647;
my %operation = (       # number of the operation, steps -> its result
    noop => sub { 1 },
    cpu => sub { my ($i, $steps) = @_; my $x = 1 + $i % 64; $x = $x * 48271 % $M for 1 .. $steps; $x },
);
my ($line, %cells);     # the last command as it came; id -> sockets of its processes
sub now { int(1e9 * clock_gettime(CLOCK_MONOTONIC)) }

sub command {
    defined($line = readline shift) or return;
    my ($verb, @pairs) = split ' ', $line;
    return ($verb, map { split /=/, $_, 2 } @pairs);
}

STDOUT->autoflush;
while (my ($verb, %key) = command(*STDIN)) {
    if ($key{require}) { print "error kind=unsupported msg=no_such_feature\n" }
    elsif ($verb eq 'hello') { printf "hello v=1 lang=perl runtime=%vd workloads=noop,cpu mechanisms=processes\n", $^V }
    elsif ($verb eq 'ping') { print "pong n=$key{n} now_ns=", now(), "\n" }
    elsif ($verb eq 'prepare' && $operation{$key{workload}} && $key{mechanism} eq 'processes') { prepare(steps => 1000, %key) }
    elsif ($verb eq 'go') { pass_on($key{id}); print "stopped id=$key{id}\n" }
    elsif ($verb eq 'collect') { print pass_on($key{id}), "done id=$key{id}\n" }
    elsif ($verb eq 'quit') { last }
    else { print "error kind=unsupported msg=$verb\n" }
}
%cells = ();            # closing their sockets ends the processes
1 while wait > 0;

sub prepare {
    my %cell = @_;
    my ($begin, @pids) = now();
    $operation{$cell{workload}}->($_, $cell{steps}) for 1 .. 10;    # warm before the fork
    my $op_ns = int((now() - $begin) / 10);
    for my $w (0 .. $cell{workers} - 1) {
        socketpair(my $ours, my $theirs, AF_UNIX, SOCK_STREAM, 0) or die $!;
        if (my $pid = fork) { push @pids, $pid; $ours->autoflush; push @{$cells{$cell{id}}}, $ours; next }
        %cells = ();
        close $_ for $ours, *STDIN;
        $theirs->autoflush;
        my @lines;
        while (my ($verb, %go) = command($theirs)) {                # parked in here, without using CPU
            @lines = release(\%cell, "id=$cell{id} w=$w", %go) if $verb eq 'go';
            print $theirs $verb eq 'go' ? () : @lines, ".\n";
        }
        exit;
    }
    print "ready id=$cell{id} carriers=", join(',', @pids), " op_ns=$op_ns steps=$cell{steps} batch=1\n";
}

sub pass_on {           # the last line to a cell's processes; their answers, each ended by a dot
    my @all = @{$cells{+shift}};
    print $_ $line for @all;
    return map { my ($from, @said) = $_; while ((my $said = <$from>) ne ".\n") { push @said, $said } @said } @all;
}

sub release {           # one worker through ramp (i = -1), windows and tail
    my ($cell, $who, %go) = @_;
    my ($do, $tail) = ($operation{$cell->{workload}}, $go{windows});
    my ($i, $ops, $check, $k, $sum, @lines, @times, %count) = (-1, 0, 0, 0, 0);
    my $end = $go{start_ns} + $go{ramp_ns};                         # of interval i
    my $early = $go{start_ns} - $go{spin_ns} - now();
    sleep $early / 1e9 if $early > 0;
    1 while now() < $go{start_ns};
    my ($entered, $first, $t) = (now()) x 3;
    for (; $i <= $tail; $k++) {
        my ($before, $result) = ($t, $do->($k, $cell->{steps}));
        $t = now();
        $ops++;
        $check += $result;
        push @times, $t - $before if $go{pass} eq 'latency' && $i >= 0 && $i < $tail;
        for (; $i <= $tail && $t >= $end; $i++) {                   # a crossing, or several at once
            push @lines, "window $who i=$i ops=$ops check=" . $check % $M . " first_ns=$first last_ns=$t"
                . ($i == $tail ? " tail=1\n" : "\n");
            $sum += $check;
            ($ops, $check, $first) = (0, 0, $t);
            $end += $i + 1 == $tail ? $go{tail_ns} : $go{window_ns};
        }
    }
    push @lines, "total $who ops=$k check=" . $sum % $M . " started_ns=$entered entered_ns=$entered ended_ns=$t\n";
    return @lines unless @times;
    $sum = 0;
    for my $v (@times) { my $s = 0; $s++ while $v >> $s > 2047; $count{($s << 10) + ($v >> $s)}++; $sum += $v }
    @times = sort { $a <=> $b } @times;
    my $buckets = join ',', map { "$_:$count{$_}" } keys %count;
    return @lines, "hist $who name=op unit=ns n=${\scalar @times} min=$times[0] max=$times[-1] sum=$sum b=$buckets\n";
}

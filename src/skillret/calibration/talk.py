"""Talk that needs no skill: what surrounds a task, and what people answer an agent."""

from __future__ import annotations

__all__ = ["BACKGROUND", "TURNS"]

# Sentences that need no skill: who asks, why, how soon. Without one of them composed requests
# would differ from real ones in the easiest way to learn.
BACKGROUND = (
    "We are a team of four and nobody has done this before.",
    "I have about two hours before the next meeting.",
    "My manager wants to see something by Friday.",
    "I inherited this from a colleague who left in spring.",
    "Money is tight, so nothing paid please.",
    "It does not have to be perfect, it has to be understandable.",
    "I am not an expert, so explain what you do as you go.",
    "Last time we tried this it took a week and we gave up.",
    "The laptop is old and slow.",
    "Please keep it short, the others will not read more than a page.",
    "This is for a small non-profit with volunteers.",
    "We work in two time zones, so I may answer late.",
    "I already spent the whole weekend on it.",
    "There is a draft somewhere but I would rather start again.",
    "Ask me if something is unclear.",
    "The client is friendly but impatient.",
    "I teach evening classes and this is for my students.",
    "Our lawyer has looked at it and had no objections.",
    "Do not touch anything else in there.",
    "I would like to understand it well enough to do it alone next time.",
    "We have a demo on Tuesday and I am getting nervous.",
    "There was a long discussion about it and no decision.",
    "My co-founder thinks it is a waste of time.",
    "Nothing here is secret, but please stay on this machine.",
    "I run a shop with my sister and we do everything ourselves.",
    "Half of it works, which is the annoying part.",
    "I am on the train with bad reception.",
    "It is my first month in this job.",
    "Someone said there is a standard way to do this.",
    "The old way was a spreadsheet that everyone hated.",
    "I have a few examples that I can paste later.",
    "By the way, thank you for your help yesterday, that worked.",
)

# Short turns of a conversation with an agent, which a hook sees as well as the tasks between them.
TURNS = tuple(
    line.strip()
    for line in """
    thank you
    thanks a lot
    many thanks
    thanks, that helped
    ty
    appreciate it
    cheers
    thanks, that is all I needed
    thank you, have a nice evening
    hello again
    hi there
    hey, how is it going
    good afternoon
    good evening
    morning!
    hi bot
    hello, who are you?
    nice to meet you
    bye
    goodbye
    good night
    talk to you later
    have a good weekend
    yes, please do
    yeah
    yup
    sure
    sure, go for it
    alright
    all right then
    fine
    fine by me
    of course
    absolutely
    exactly
    correct
    right
    that is right
    agreed
    true
    yes to both
    yes, the second one
    the first option
    option b please
    either is fine
    both
    nope
    no thanks
    no, not that
    not yet
    not now
    no, leave it
    rather not
    don't
    please don't do that
    no, wait
    hold on
    wait a moment
    cancel
    cancel that
    abort
    stop here
    that's enough
    enough for today
    please continue
    carry on
    keep going
    proceed
    next
    next one
    next step please
    go
    go for it
    start
    ready
    ready when you are
    let's go
    let's start
    and then?
    what next?
    what's next
    more
    more please
    a bit more
    again
    once more
    one more time
    retry
    try that again
    great work
    good job
    well done
    awesome
    excellent
    brilliant
    amazing
    lovely
    beautiful
    very nice
    neat
    love it
    I like it
    that looks good
    looks great
    works now
    it works
    it works, thanks
    that worked
    that fixed it
    all good
    all green now
    solved
    problem solved
    done, thanks
    that is not right
    that's not what I meant
    this is wrong
    wrong
    incorrect
    you misunderstood
    not quite
    almost
    hmm, no
    that didn't work
    still broken
    still the same
    same error
    it still fails
    same as before
    no change
    I don't like it
    too long
    too short
    this is too complicated
    way too verbose
    huh?
    pardon?
    sorry, what?
    how so?
    why is that?
    why not?
    how come?
    really?
    are you sure?
    is that true?
    what do you mean?
    can you explain?
    please explain
    explain it like I'm five
    in simpler words please
    I'm confused
    I don't get it
    I see
    got it
    understood
    makes sense
    makes sense now
    ah ok
    oh I see
    interesting
    good point
    fair enough
    good to know
    noted
    shorter please
    be more specific
    be brief
    in one sentence
    say that again
    repeat that please
    what was that again?
    what did you just do?
    what are you doing?
    what have you done so far?
    where were we?
    are you done?
    is it finished?
    how long will it take?
    how far are you?
    still there?
    hello?
    are you stuck?
    can you hear me?
    put it back
    take that back
    revert please
    go back
    back to the previous version
    do that again
    do the same for the others
    do the rest too
    the same for the other file
    use the other one
    change it back
    leave it as it is
    keep it
    skip it
    skip this one
    ignore that
    forget it
    forget about it
    drop it
    sorry
    sorry, my mistake
    my bad
    oops
    oops, wrong window
    ignore my last message
    wrong chat
    just testing
    test
    testing 123
    asdf
    lol ok
    haha
    ha, good one
    omg
    ugh
    wow, nice
    yay
    phew
    damn
    what a day
    give me a minute
    just a second
    back in five
    I'll be right back
    I need a coffee
    let me check
    let me see
    I'll think about it
    I'll try that
    I'll look at it tomorrow
    I'll get back to you
    we can do that later
    later
    maybe later
    not sure
    not sure yet
    I don't know
    no idea
    whatever you think
    up to you
    you decide
    as you like
    your call
    can I ask you something?
    can you help me?
    I have a question
    quick question
    one more thing
    one last question
    help
    help me
    I need help
    please help
    are you a robot?
    what can you do?
    who made you?
    what model are you?
    how are you today?
    do you remember me?
    I'm done for today
    that will be all
    let's stop here
    let's call it a day
    we are finished
    I'm tired
    it's late
    I'm leaving now
    I'll merge it
    merged
    pushed
    deployed it
    shipped
    approved
    ship it
    """.strip().splitlines()
)

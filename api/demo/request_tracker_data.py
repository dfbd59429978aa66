"""How that Request Tracker is set up: its configuration, and what is in it at the beginning."""

from string import Template

CONFIG = Template(r"""use utf8;
Set($$rtname, 'rt.peer.test');
Set($$Organization, 'peer.test');
Set($$WebDomain, '127.0.0.1'); Set($$WebPort, $port); Set($$WebBaseURL, '$url'); Set($$WebPath, '');
Set($$CorrespondAddress, 'desk@rt.peer.test'); Set($$CommentAddress, 'notes@rt.peer.test');
Set($$RTAddressRegexp, qr/\@rt\.peer\.test$$/i);
Set($$Timezone, 'UTC');
Set($$LogToSyslog, ''); Set($$LogToSTDERR, 'warning');
Set($$WebSecureCookies, 0);
Set($$DatabaseType, 'Pg'); Set($$DatabaseHost, '$sockets'); Set($$DatabasePort, '');
Set($$DatabaseUser, 'rt'); Set($$DatabasePassword, 'rt'); Set($$DatabaseName, 'rt5'); Set($$DatabaseAdmin, 'postgres');
Set($$MailCommand, 'sendmailpipe'); Set($$SendmailPath, '$mailer'); Set($$SendmailArguments, '-oi');
Set($$HintFile, '$hints');
1;
""")

# Queues bear the names of support units; what lands in To_GGUS is meant for us.
CONTENT = r"""
@Users = (
    { Name => 'bridge', EmailAddress => 'bridge@peer.test', Password => $ENV{TICKETLEDGER_BRIDGE}, Privileged => 1,
      Timezone => 'UTC' },
    { Name => 'supporter', EmailAddress => 'supporter@peer.test', Password => $ENV{TICKETLEDGER_SUPPORTER},
      Privileged => 1 },
);
@Groups = ({ Name => 'Desk', Members => { Users => ['bridge', 'supporter'] } });
@Queues = map { { Name => $_ } } qw(ROC_DE ROC_IT To_GGUS);
@CustomFields = (
    { Name => 'ExternalID', Type => 'FreeformSingle', LookupType => 'RT::Queue-RT::Ticket', UniqueValues => 1 },
    { Name => 'ExternalURL', Type => 'FreeformSingle', LookupType => 'RT::Queue-RT::Ticket' },
    { Name => 'AffectedSite', Type => 'FreeformSingle', LookupType => 'RT::Queue-RT::Ticket' },
    { Name => 'EventID', Type => 'FreeformSingle', LookupType => 'RT::Queue-RT::Ticket-RT::Transaction' },
);
for my $field (@CustomFields) { $field->{ApplyTo} = 0 }
@ACL = (
    (map { { GroupDomain => 'UserDefined', GroupId => 'Desk', Right => $_ } }
        qw(SeeQueue ShowTicket CreateTicket ReplyToTicket CommentOnTicket ShowTicketComments ModifyTicket DeleteTicket
           OwnTicket TakeTicket Watch SeeCustomField ModifyCustomField SetInitialCustomField ModifySelf)),
    (map { { GroupDomain => 'SystemInternal', GroupType => 'Everyone', Right => $_ } } qw(CreateTicket ReplyToTicket)),
);
# The hint: after each change, whoever is named in a file is called, without saying more than the number.
@Scrips = ({
    Description => 'Hint', Queue => 0, ScripCondition => 'On Transaction', ScripAction => 'User Defined',
    Template => 'Blank', CustomPrepareCode => 'return 1;', CustomCommitCode => <<'CODE',
open my $file, '<', RT->Config->Get('HintFile') or return 1;
my @urls = grep { m{^http://127\.0\.0\.1:} } map { s/\s+\z//r } <$file>;
require LWP::UserAgent;
LWP::UserAgent->new(timeout => 2)->post($_, Content => $self->TransactionObj->Id) for @urls;
return 1;
CODE
});
1;
"""
